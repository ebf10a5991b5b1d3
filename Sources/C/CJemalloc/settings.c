/* Malla - a mesh that turns AI models into services
 * SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 the Malla authors
 */
#include "CJemalloc.h"

/* background_thread, dirty_decay_ms: freed memory goes back to the system within a second, also when nothing is taken
 * any more. oversize_threshold: blocks of 4 MiB and more, such as parts of uploads, go back at once and are not cut up
 * for smaller ones.
 */
const char *malloc_conf = "background_thread:true,dirty_decay_ms:1000,oversize_threshold:4194304";
