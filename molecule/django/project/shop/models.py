"""What the requests write and read."""

from django.db import models


class Order(models.Model):
    """An order of something."""

    item = models.CharField(max_length=50)
    amount = models.IntegerField(default=1)
    at = models.DateTimeField(auto_now_add=True)
