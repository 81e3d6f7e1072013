"""The Celery application, with redis as broker and result store, and its task."""

import os

from celery import Celery
from django.db import transaction

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
app = Celery("shop", broker="redis://127.0.0.1/0", backend="redis://127.0.0.1/1")


@app.task
def ship(alias):
    """Write an order in a transaction and read it back; returns the amount and the worker's process."""
    from shop.models import Order

    with transaction.atomic(using=alias):
        new = Order.objects.using(alias).create(item="lamp")
    Order.objects.using(alias).filter(pk=new.pk).update(amount=3)
    return Order.objects.using(alias).get(pk=new.pk).amount, os.getpid()
