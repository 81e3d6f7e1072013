"""A process that lives through restarts and idle times: a request by each alias whenever it is told to.

python -m shop.phases ALIAS...      reads lines, prints {alias: null or message} for each line as JSON
"""

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
django.setup()

from shop.cells import check
from shop.models import Order


def visit(alias):
    """What a request does."""
    new = Order.objects.using(alias).create(item="lamp")
    assert Order.objects.using(alias).get(pk=new.pk).item == "lamp"


for _ in sys.stdin:
    print(json.dumps({alias: check(alias, visit) for alias in sys.argv[1:]}), flush=True)
