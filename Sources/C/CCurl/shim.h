/* Malla - a mesh that turns AI models into services
 * SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 the Malla authors
 *
 * Typed faces for libcurl's variadic setters, which Swift cannot call.
 */
#pragma once
#include <curl/curl.h>

typedef size_t (*ccurl_bytes_fn)(char *bytes, size_t size, size_t count, void *context);
typedef int (*ccurl_seek_fn)(void *context, curl_off_t place, int origin);
typedef curl_socket_t (*ccurl_socket_fn)(void *context, curlsocktype purpose, struct curl_sockaddr *address);

static inline CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_size(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, const void *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_headers(CURL *easy, struct curl_slist *list) {
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
}

static inline CURLcode ccurl_set_bytes_fn(CURL *easy, CURLoption option, ccurl_bytes_fn function) {
    return curl_easy_setopt(easy, option, function);
}

static inline CURLcode ccurl_set_seek_fn(CURL *easy, ccurl_seek_fn function) {
    return curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, function);
}

static inline CURLcode ccurl_set_socket_fn(CURL *easy, ccurl_socket_fn function) {
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, function);
}

static inline CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
