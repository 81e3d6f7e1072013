# A lab host that runs a Django project: redis as Celery's broker, and the environments of app.txt.
ARG BASE=djangoops-pooling-lab:trixie
FROM ${BASE}
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q; \
    apt-get install -q -y --no-install-recommends redis-server; \
    apt-get clean; \
    rm -rf /var/lib/apt/lists/*; mkdir -p /var/lib/apt/lists/partial; touch -d @0 /var/lib/apt/lists
COPY wheels /wheels
RUN set -eu; for environment in /wheels/*; do \
      python3 -m venv "/opt/environments/${environment##*/}"; \
      "/opt/environments/${environment##*/}/bin/pip" install -q --no-cache-dir --disable-pip-version-check --no-index \
        "$environment"/*.whl; \
    done; \
    rm -rf /wheels
# a container may not give the service a user namespace
RUN mkdir /etc/systemd/system/redis-server.service.d; \
    printf '[Service]\nPrivateUsers=no\n' >/etc/systemd/system/redis-server.service.d/lab.conf
