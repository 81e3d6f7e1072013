"""A Django project with the companions, whose servers are not there: nobody listens on port 1 and 2."""

from __future__ import annotations

import sys

import django
from conftest import ROOT
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

FILES = ROOT / "roles/django_settings/files"
sys.dont_write_bytecode = True
sys.path.insert(0, str(FILES))

POOLED = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "app",
    "USER": "app",
    "PASSWORD": "x",
    "HOST": "127.0.0.1",
    "PORT": 1,
    "CONN_MAX_AGE": 60,
    "CONN_HEALTH_CHECKS": True,
    "DISABLE_SERVER_SIDE_CURSORS": True,
}
settings.configure(
    DATABASES={
        "default": POOLED,
        "default_direct": {**POOLED, "PORT": 2, "CONN_MAX_AGE": 0},
        "jobs": {**POOLED, "NAME": "jobs"},
        # the settings for tests: both lead to the same place
        "same": POOLED,
        "same_direct": POOLED,
    },
    DATABASE_ROUTERS=["djangoops_pooling.routers.DirectRouter"],
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "djangoops_pooling"],
    MIDDLEWARE=["djangoops_pooling.middleware.NewConnections"],
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User
from django.db import OperationalError


def idle(request: HttpRequest) -> HttpResponse:
    return HttpResponse("no query")


def query(request: HttpRequest) -> HttpResponse:
    """A query that finds nobody who answers."""
    try:
        User.objects.count()
    except OperationalError:
        return HttpResponse("tried")
    return HttpResponse("somebody answered", status=500)


urlpatterns = [path("idle", idle), re_path("^query/", query)]
