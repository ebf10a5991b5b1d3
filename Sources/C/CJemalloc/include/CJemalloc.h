/* Malla - a mesh that turns AI models into services
 * SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 the Malla authors
 */
#pragma once

/* How jemalloc treats the memory of a process that runs for months, which takes it by being linked: read by jemalloc
 * before main, see TUNING in jemalloc(3). What MALLOC_CONF says in the environment goes before it.
 *
 * glibc's allocator gives each thread an arena, and each arena keeps the most that it ever held. Nor does it expect that
 * one thread frees what another took, as it is with tasks that go from thread to thread.
 */
extern const char *malloc_conf;
