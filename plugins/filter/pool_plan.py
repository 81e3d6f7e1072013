# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter pool_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: pool_plan
short_description: Plan the connection pools of a Django fleet
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Computes from a fleet of Django processes, PgBouncer hosts and PostgreSQL servers every pool size, limit
    and timeout, so that the server's C(max_connections) cannot be exceeded during a deploy or after the
    loss of a pooler host, and says why each number is what it is.
  - A fleet that cannot be served is an error that names the smallest changes that would help, each proven
    by planning with it.
  - The formula, its sources and its proof are in C(docs/sizing.md). Numbers may be text (V("8"), V("1.5")).
    Keys that are not listed here are errors.
options:
  _input:
    description:
      - The fleet.
    type: dictionary
    required: true
    suboptions:
      groups:
        description:
          - Sets of identical Django processes, at least one.
        type: list
        elements: dictionary
        required: true
        suboptions:
          name:
            description:
              - Its name, used once.
            type: string
            required: true
          host_group:
            description:
              - The hosts it runs on, for O(_input.poolers.placement=local). Groups with the same value
                share hosts, and so a PgBouncer. The group's name unless given.
            type: string
          interface:
            description:
              - How requests meet connections. Under V(wsgi) and V(celery) each thread has one, under
                V(asgi) and V(gevent) each request in flight, a V(script) has one.
            type: string
            choices: [wsgi, asgi, celery, gevent, script]
            default: wsgi
          hosts:
            description:
              - Hosts, 0 or more.
            type: integer
            default: 1
          processes:
            description:
              - Processes per host, 1 or more. For Celery with prefork its concurrency.
            type: integer
            default: 1
          threads:
            description:
              - Threads per process, 1 or more (gthread, uWSGI threads, Celery with the threads pool).
            type: integer
            default: 1
          concurrency:
            description:
              - Requests in flight per process, 1 or more (uvicorn C(--limit-concurrency), gevent pool size).
              - Required for V(asgi) and V(gevent) without O(_input.groups[].native_pool).
            type: integer
          pools:
            description:
              - Names of pools, one entry for each database alias; the same pool twice is two aliases. The
                first pool of O(_input.pools) unless given.
            type: list
            elements: string
          conn_max_age:
            description:
              - Django's C(CONN_MAX_AGE) in seconds, 0 or more. Null (for ever) is an error.
              - 0 is Django's default. Behind PgBouncer 60 saves the logins of WSGI processes.
            type: integer
            default: 0
          native_pool:
            description:
              - Django's C(OPTIONS["pool"]). Null is none, V(true) is psycopg_pool's default of 4
                connections, otherwise a mapping of C(min_size) (0 or more, default 4), C(max_size) (1 or
                more, default and at least C(min_size)) and C(max_lifetime) in seconds (1 or more, default
                3600).
            type: raw
          deploy_overlap:
            description:
              - Old and new processes alive during a deploy to the usual number, from 1 to 4. Restart 1,
                Kubernetes C(maxSurge) of 25 % 1.25, graceful reload or blue/green 2.
            type: float
            default: 1.5
          burst_factor:
            description:
              - Connections open to those in use, 1 or more, where each request opens its own
                (O(_input.groups[].conn_max_age=0) without a native pool).
            type: float
            default: 1
          rps_per_host:
            description:
              - Requests per second and host, 0 or more, for the warning C(W_CHURN) and the choice of a
                strategy.
            type: float
          unix_socket:
            description:
              - Whether the processes reach PgBouncer by a Unix socket, which has no TIME_WAIT.
            type: boolean
            default: false
      pools:
        description:
          - Pools, at least one. One pool is one user on one database.
        type: list
        elements: dictionary
        required: true
        suboptions:
          name:
            description:
              - Its name, used once.
            type: string
            required: true
          database:
            description:
              - Name of the database. V(*) is an error, for nothing bounds it. The pool's name unless given.
            type: string
          user:
            description:
              - Role that Django connects as.
            type: string
            default: app
          server:
            description:
              - A key of O(_input.postgres).
            type: string
            default: primary
          weight:
            description:
              - Its part of the connections, 0 or more, counts where every pool of a server has one.
                Otherwise the measured load decides where it is known for all, or else the number of
                clients.
            type: float
          min:
            description:
              - Least C(pool_size) of one process, 1 or more.
            type: integer
            default: 1
          nested:
            description:
              - Connections one thread holds in this pool at once, 1 or more. The pool gets as many as
                exclude a deadlock (HikariCP's rule).
            type: integer
            default: 1
          tps:
            description:
              - Measured transactions per second, 0 or more, see
                P(djangoops.pooling.show_stats_load#filter). Needs O(_input.pools[].xact_ms).
            type: float
          xact_ms:
            description:
              - Measured time of a transaction in milliseconds without the wait for a connection, 0 or more.
            type: float
      pool_mode:
        description:
          - PgBouncer's C(pool_mode). V(session) pins a server connection for each client, V(statement) is
            an error since Django needs transactions.
        type: string
        choices: [transaction, session, statement]
        default: transaction
      poolers:
        description:
          - The PgBouncer processes.
        type: dictionary
        suboptions:
          placement:
            description:
              - V(central) hosts for all clients, or V(local), one PgBouncer on each application host.
            type: string
            choices: [central, local]
            default: central
          hosts:
            description:
              - Central hosts, 1 or more.
            type: integer
            default: 1
          serving_hosts:
            description:
              - Hosts that carry load, the others stand by. From 1 to O(_input.poolers.hosts), which is the
                default.
            type: integer
          tolerate_hosts_lost:
            description:
              - Hosts whose loss must cost no capacity, less than the serving ones. 1 where more than one
                serves, otherwise 0.
            type: integer
          processes:
            description:
              - Processes per host that share a port by C(so_reuseport), 1 or more. Each has pools of its
                own, and smaller pools wait longer.
            type: integer
            default: 1
          restart_extra:
            description:
              - Processes more that are alive during a restart, 0 or more.
            type: integer
            default: 0
          distribution:
            description:
              - V(failover) where any host may get all clients (virtual address, several hosts in libpq),
                V(balanced) where they are spread.
            type: string
            choices: [failover, balanced]
            default: failover
          skew:
            description:
              - Clients of the fullest host to the mean, 1 or more, for
                O(_input.poolers.distribution=balanced).
            type: float
            default: 1.25
          console_clients:
            description:
              - Clients of the admin console, such as an exporter, 0 or more.
            type: integer
            default: 5
          auth_query:
            description:
              - Whether PgBouncer asks the server for verifiers, which takes a connection per database and
                process.
            type: boolean
            default: false
          auth_dbname:
            description:
              - Whether C(auth_dbname) is set, so that it takes one per process.
            type: boolean
            default: false
          peering:
            description:
              - Whether the processes are peers, so that cancel requests find their way.
            type: boolean
            default: true
      postgres:
        description:
          - From a server's name to its properties; one server C(primary) without any unless given. A server
            without clients is not planned.
          - C(version), major version, default 17, 10 or more.
          - C(max_connections), 1 or more; null, the default, computes it.
          - C(superuser_reserved_connections), 0 or more, default 3.
          - C(reserved_connections), 0 or more, default 0; only 0 before PostgreSQL 16.
          - C(cores), physical cores, more than 0; or C(vcpus), more than 0, with C(threads_per_core), more
            than 0, default 2 (1 on Arm). Without either the target is a guess, C(W_NO_CORES).
          - C(spindles), effective disks, 0 or more, default 1; 0 where C(dataset_fits_in_ram).
          - C(connections_per_core), from 1 to 4, default 2 (PostgreSQL wiki, HikariCP).
          - C(hold_ratio), time a connection is held to time it executes, from 1 to 20, default 1; measured
            by P(djangoops.pooling.show_stats_load#filter).
          - C(usl), C([alpha, beta]) of a fitted universal scalability law, alpha from 0 to below 1, beta
            above 0; instead of the cores.
          - C(target_connections), 1 or more, instead of any formula.
          - C(direct), connections past the poolers, a list of C(name), C(connections) (0 or more, default
            1), C(user), C(superuser), C(reserved) (its role has C(pg_use_reserved_connections)) and
            C(walsender). Declare migrations (1-2 per alias), management commands, postgres_exporter (1-3),
            backups (C(pg_dump -j N) takes N+1, pgBackRest 1-2), Patroni (3), LISTEN/NOTIFY, psql (2).
          - C(ram_mib), memory in MiB, 1 or more; without it no memory settings are planned.
          - C(mib_per_connection), more than 0, default 10.
          - C(hash_mem_multiplier), 1 or more, default 2, before PostgreSQL 15 1.
          - C(disk), any text, kept for the reader.
        type: dictionary
      targets:
        description:
          - What the plan aims at.
        type: dictionary
        suboptions:
          alert:
            description:
              - Share of C(max_connections) that the steady state stays within, more than 0, at most 1.
            type: float
            default: 0.8
          utilisation:
            description:
              - Busy share of a measured pool, more than 0, at most 1.
            type: float
            default: 0.8
          wait_ms:
            description:
              - Wait for a connection in milliseconds, 0 or more.
            type: float
            default: 10
          percentile:
            description:
              - Share of transactions that wait no longer, between 0 and 1.
            type: float
            default: 0.95
          cs2:
            description:
              - Squared coefficient of variation of the transaction time, 0 or more; 1 is exponential.
            type: float
            default: 1
      timeouts:
        description:
          - Seconds.
        type: dictionary
        suboptions:
          request_timeout:
            description:
              - Timeout of a request (gunicorn), 1 or more.
            type: integer
            default: 30
          server_idle_timeout:
            description:
              - PgBouncer's, 0 (off) or above every C(CONN_MAX_AGE). Derived unless given.
            type: integer
          client_idle_timeout:
            description:
              - PgBouncer's, 0 (off) or above every C(CONN_MAX_AGE) and every C(max_lifetime) of a native
                pool.
            type: integer
            default: 0
          query_wait_timeout:
            description:
              - PgBouncer's, 0 (off) or more. Half the request timeout, at least 5, unless given.
            type: integer
      django:
        description:
          - See P(djangoops.pooling.choose_strategy#filter), as for O(_input.psycopg), O(_input.other_apps)
            and O(_input.serverless). The plan does not depend on them.
        type: list
        elements: integer
      psycopg:
        description:
          - See O(_input.django).
        type: integer
      other_apps:
        description:
          - See O(_input.django).
        type: boolean
      serverless:
        description:
          - See O(_input.django).
        type: boolean
  pooler:
    description:
      - V(false) plans without any pooler. The result is then a mapping of C(servers), from name to
        C(client_peak), C(budget) and C(headroom), and of C(native_pool), from group to the C(min_size) and
        C(max_size) of Django's own pool that fit.
      - It is the error C(E_DIRECT) where the clients can open more connections than there are.
    type: boolean
    default: true
notes:
  - Errors are C(E_RANGE) (a value that is missing, unknown or out of range), C(E_BUDGET) (not even the
    smallest pools fit), C(E_DIRECT) (a pooler is needed), C(E_UNBOUNDED), C(E_STATEMENT_MODE),
    C(E_AGE_NONE), C(E_POOL_AGE), C(E_IDLE_ORDER), C(E_CLIENT_IDLE), C(E_NOFILE), C(E_MAX_BACKENDS) and
    C(E_WILDCARD). Each lists the changes that help, smallest first.
seealso:
  - plugin: djangoops.pooling.choose_strategy
    plugin_type: filter
  - plugin: djangoops.pooling.show_stats_load
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show the size of a pool, and why
  ansible.builtin.debug:
    msg: "{{ [plan.instances.central.pools.app.pool_size, plan.why['instances.central.pools.app']] }}"
    # Should result in 25 and "server target 25 -> 25 for this instance group = 25 per process x 1; share by
    # client demand 54, minimum 1, cap 54 clients -> pool_size 25; reserve max(burst 5, failover 0) -> 5;
    # min_pool_size 7"
  vars:
    plan: "{{ fleet | djangoops.pooling.pool_plan }}"
    fleet:
      groups:
        - {name: web, hosts: 4, processes: 9, conn_max_age: 60}
      pools:
        - {name: app}
      postgres:
        primary: {max_connections: 100, target_connections: 25}

- name: Plan two pooler hosts, a replica and a Celery queue with its own database
  ansible.builtin.debug:
    msg: "{{ fleet | djangoops.pooling.pool_plan }}"
  vars:
    fleet:
      groups:
        - {name: web, hosts: 6, processes: 9, threads: 2, conn_max_age: 60, pools: [app, app_replica]}
        - {name: worker, interface: celery, hosts: 3, processes: 8, pools: [jobs]}
      pools:
        - {name: app, user: web}
        - {name: app_replica, user: web, server: replica}
        - {name: jobs, database: app_jobs, user: jobs}
      poolers: {hosts: 2}
      postgres:
        primary:
          max_connections: 200
          vcpus: 32
          ram_mib: 65536
          direct:
            - {name: migrate, connections: 2, user: web}
            - {name: pgbackrest, connections: 2, superuser: true}
        replica: {max_connections: 200, vcpus: 16}
"""

RETURN = r"""
_value:
  description:
    - The plan.
  type: dictionary
  contains:
    client_base:
      description:
        - Client connections of all pools in the steady state.
      type: integer
      sample: 132
    client_peak:
      description:
        - The same while a deploy overlaps.
      type: integer
      sample: 198
    timeouts:
      description:
        - C(server_idle_timeout), C(client_idle_timeout), C(query_wait_timeout) and C(server_lifetime) for
          PgBouncer, and the longest C(conn_max_age) of the fleet, all in seconds.
      type: dictionary
      sample:
        {server_idle_timeout: 120, client_idle_timeout: 0, query_wait_timeout: 15, server_lifetime: 3600,
         conn_max_age: 60}
    servers:
      description:
        - From server name to what it is planned to hold. Numbers are connections unless said otherwise.
        - C(max_connections), declared or computed; C(superuser_reserved_connections),
          C(reserved_connections).
        - C(direct), all declared connections past the poolers.
        - C(target_connections), the connections that keep the server busiest.
        - C(pool_total) and C(reserve_total), pools and reserves of the processes that carry load.
        - C(worst_case), every slot that can be taken, with standby processes and reserved slots;
          C(headroom), what C(max_connections) leaves above it.
        - C(client_connection_check_interval), a setting that ends queries of vanished clients; null before
          PostgreSQL 14.
        - C(memory), null without C(ram_mib), otherwise C(shared_buffers_mib), C(work_mem_kib),
          C(work_mem_safe_max_kib), C(work_mem_kib_pgtune) for comparison, and C(connection_overhead_mib).
        - C(role_connection_limit), from role to its C(CONNECTION LIMIT).
      type: dictionary
    instances:
      description:
        - From instance group to the settings of each of its PgBouncer processes. The group is C(central),
          or the host groups for local placement.
        - C(hosts), and C(processes) per host.
        - C(max_client_conn); C(client_peak), the clients a process must accept.
        - C(default_pool_size), the smallest pool.
        - C(pools), from pool to C(pool_size), C(min_pool_size), C(reserve_pool_size) and C(clients), and
          C(predicted) where the load is measured. The latter has C(offered_erlangs), C(required_pool_size),
          and C(rho), C(p_wait), C(mean_wait_ms), C(quantile_wait_ms) for C(normal) operation, C(after_loss)
          of hosts and C(if_one_pool) had all connections; times are null where the pool cannot keep up.
        - C(max_db_connections) by database, C(max_user_connections) by user.
        - C(reserve_pool_timeout) in seconds.
        - C(listen_backlog), to which C(net.core.somaxconn) must be raised.
        - C(fd_needed) and C(limit_nofile), file descriptors of a process.
      type: dictionary
    warnings:
      description:
        - What to watch for, C(CODE) and a sentence. The codes are C(W_SESSION), C(W_PROCESSES),
          C(W_FRAGMENTED), C(W_OVER_KNEE), C(W_WAIT), C(W_LOSS_UNSTABLE), C(W_RESERVE_CUT), C(W_ALERT),
          C(W_NO_CORES), C(W_MATRIX), C(W_ASGI_AGE), C(W_CELERY_AGE), C(W_QWT) and C(W_CHURN).
      type: list
      elements: string
      sample: ["W_NO_CORES: server primary: cores are not known, the target 20 is a guess"]
    why:
      description:
        - From the path of a number, such as C(servers.primary.worst_case), to its formula with the values
          put in.
      type: dictionary
      sample: {servers.primary.target_connections: "floor(1 x (2 x 16 cores + 1 spindles)) = 33"}
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError
from ansible_collections.djangoops.pooling.plugins.module_utils._sizing import plan
from ansible_collections.djangoops.pooling.plugins.module_utils._strategy import native_pools, plan_direct


def pool_plan(inputs: object, *, pooler: bool = True) -> dict[str, Any]:
    """Return the plan for ``inputs``, with PgBouncer or without any pooler."""
    try:
        if pooler:
            return plan(inputs)
        return {"servers": plan_direct(inputs), "native_pool": native_pools(inputs)}
    except SizingError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.pool_plan: {exc}") from exc


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"pool_plan": pool_plan}
