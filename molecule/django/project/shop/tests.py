"""A test that needs its own database; the matrix runs it by each strategy."""

from django.test import TestCase

from shop.models import Order


class OrderTest(TestCase):
    """Django rolls back what each test writes."""

    def test_writes(self):
        Order.objects.create(item="lamp")
        self.assertEqual(Order.objects.count(), 1)
