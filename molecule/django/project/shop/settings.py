"""Settings of the project. The databases are those that the role wrote for this environment, with an alias for each
strategy; SHOP_DATABASE says which of them is the default.
"""

import os
import sys

sys.path.insert(0, f"/etc/djangoops-pooling/{os.path.basename(sys.prefix)}")
from pooling_databases import DATABASES as ALIASES

DATABASES = {**ALIASES, "default": ALIASES[os.environ.get("SHOP_DATABASE", "default")]}
INSTALLED_APPS = ["shop", "catalog"]
ROOT_URLCONF = "shop.urls"
SECRET_KEY = "of the test only"
ALLOWED_HOSTS = ["127.0.0.1"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
