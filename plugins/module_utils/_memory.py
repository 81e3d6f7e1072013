# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the planned backends mean for the server's memory (docs/sizing.md 6.L)."""

from __future__ import annotations

import math
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._inputs import Server

WORK_MEM_MIN_KIB = 4 * 1024
WORK_MEM_MAX_KIB = 64 * 1024


def memory(server: Server, backends: int, max_connections: int) -> dict[str, Any] | None:
    """Return the memory settings for that many planned backends; None where the memory is not known.

    pgtune divides by max_connections; behind a pooler the planned backends are the truth, so both are shown.
    """
    if server.ram_mib is None:
        return None
    shared_buffers = server.ram_mib // 4
    free_kib = (server.ram_mib - shared_buffers) * 1024
    workers = math.ceil(server.cores) if server.cores is not None and server.cores >= 4 else 8
    safe = math.floor(free_kib / ((backends + workers) * 3 * server.hash_mem_multiplier))
    return {
        "shared_buffers_mib": shared_buffers,
        "work_mem_safe_max_kib": safe,
        "work_mem_kib": min(max(safe, WORK_MEM_MIN_KIB), WORK_MEM_MAX_KIB),
        "work_mem_kib_pgtune": max(WORK_MEM_MIN_KIB, free_kib // ((max_connections + workers) * 3)),
        "connection_overhead_mib": math.floor(backends * server.mib_per_connection),
    }
