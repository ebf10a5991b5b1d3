/* Malla - a mesh that turns AI models into services
 * SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 the Malla authors
 */
#include "CJemalloc.h"

/* Read by jemalloc before main; MALLOC_CONF in the environment goes before it, see TUNING in jemalloc(3).
 *
 * dirty_decay_ms: freed memory goes back to the system within a second. oversize_threshold: blocks of 4 MiB and more, such
 * as parts of uploads, go back at once and are not cut up for smaller ones.
 */
const char *malloc_conf = "dirty_decay_ms:1000,oversize_threshold:4194304";
