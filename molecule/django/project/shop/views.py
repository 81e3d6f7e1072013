"""Requests as they are in a shop: some reading, a write in a transaction, and time spent on other things."""

import collections
import threading
import time

from django.db import transaction
from django.db.backends.signals import connection_created
from django.http import HttpResponse

from shop.models import Order

opened = collections.Counter()
_counting = threading.Lock()


def _count(connection, **_):
    with _counting:
        opened[connection.alias] += 1


connection_created.connect(_count)


def order(request, alias):
    """Read, think for the seconds that the query string says, write and read again; the thread keeps its connection."""
    orders = Order.objects.using(alias)
    list(orders.order_by("-id").values_list("item", flat=True)[:10])
    time.sleep(float(request.GET.get("think", 0)))
    with transaction.atomic(using=alias):
        new = orders.create(item="lamp")
        orders.filter(pk=new.pk).update(amount=2)
    return HttpResponse(str(orders.get(pk=new.pk).amount))


async def aorder(request, alias):
    """The same under ASGI, with the asynchronous ORM."""
    orders = Order.objects.using(alias)
    new = await orders.acreate(item="lamp")
    await orders.filter(pk=new.pk).aupdate(amount=2)
    return HttpResponse(str((await orders.aget(pk=new.pk)).amount))


def connections_opened(request, alias):
    """How many connections this process has opened so far."""
    return HttpResponse(str(opened[alias]))
