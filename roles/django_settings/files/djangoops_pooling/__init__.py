# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes with settings for a pooler, for Django 4.2 to 6.0 with psycopg 3 or psycopg2. Each part is an option.

INSTALLED_APPS += ["djangoops_pooling"]
    manage.py check --database default warns where the settings contradict the pooler that is really there, the command
    reconnect closes and opens connections, and a forked process (gunicorn --preload, Celery) inherits none.
MIDDLEWARE = ["djangoops_pooling.middleware.NewConnections", ...]
    Logs how many connections a request opened, and what they cost.
DATABASE_ROUTERS = [..., "djangoops_pooling.routers.DirectRouter"]
    Sends what needs a session of its own past the pooler.
djangoops_pooling.celery.install(app)
    Celery tasks keep their connection as CONN_MAX_AGE says.
"""

# The alias that goes past the pooler is called like the pooled one, with this at the end.
DIRECT = "_direct"
