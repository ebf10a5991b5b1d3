/* Malla - a mesh that turns AI models into services
 * SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 the Malla authors
 */
#pragma once
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <string.h>

/* The method numbers are casts to a typedef, which Swift does not import. */
enum {
    CAMQP_CONNECTION_CLOSE = 0x000A0032,
    CAMQP_CONNECTION_BLOCKED = 0x000A003C,
    CAMQP_CONNECTION_UNBLOCKED = 0x000A003D,
    CAMQP_CHANNEL_CLOSE = 0x00140028,
    CAMQP_CHANNEL_CLOSE_OK = 0x00140029,
    CAMQP_BASIC_CANCEL = 0x003C001E,
    CAMQP_BASIC_RETURN = 0x003C0032,
    CAMQP_BASIC_DELIVER = 0x003C003C,
    CAMQP_BASIC_ACK = 0x003C0050,
    CAMQP_BASIC_NACK = 0x003C0078
};

static inline amqp_bytes_t camqp_bytes(const void *start, size_t length) {
    amqp_bytes_t bytes;
    bytes.len = length;
    bytes.bytes = (void *)start;
    return bytes;
}

/* amqp_login is variadic, and announces neither consumer_cancel_notify nor connection.blocked. */
static inline amqp_rpc_reply_t camqp_login_plain(amqp_connection_state_t connection, const char *vhost, int heartbeat,
                                                 const char *user, const char *password, const char *name) {
    amqp_table_entry_t capabilities[4];
    const char *keys[4] = {"consumer_cancel_notify", "connection.blocked", "publisher_confirms", "basic.nack"};
    for (int i = 0; i < 4; i++) {
        capabilities[i].key = amqp_cstring_bytes(keys[i]);
        capabilities[i].value.kind = AMQP_FIELD_KIND_BOOLEAN;
        capabilities[i].value.value.boolean = 1;
    }
    amqp_table_entry_t entries[2];
    entries[0].key = amqp_cstring_bytes("capabilities");
    entries[0].value.kind = AMQP_FIELD_KIND_TABLE;
    entries[0].value.value.table.num_entries = 4;
    entries[0].value.value.table.entries = capabilities;
    entries[1].key = amqp_cstring_bytes("connection_name");
    entries[1].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[1].value.value.bytes = amqp_cstring_bytes(name);
    amqp_table_t properties = {2, entries};
    return amqp_login_with_properties(connection, vhost, 0, AMQP_DEFAULT_FRAME_SIZE, heartbeat, &properties,
                                      AMQP_SASL_METHOD_PLAIN, user, password);
}

/* Publishes a persistent message to a queue. A `number` other than 0 becomes its message id, by which a returned
 * message is told from the others, and makes it mandatory. */
static inline int camqp_publish(amqp_connection_state_t connection, amqp_channel_t channel, const char *queue,
                                const void *body, size_t length, const char *trace, uint64_t number) {
    char id[24];
    amqp_table_entry_t header;
    amqp_basic_properties_t properties;
    memset(&properties, 0, sizeof properties);
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    if (number != 0) {
        properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        properties.message_id =
            camqp_bytes(id, (size_t)snprintf(id, sizeof id, "%llu", (unsigned long long)number));
    }
    if (trace != NULL) {
        header.key = amqp_cstring_bytes("traceparent");
        header.value.kind = AMQP_FIELD_KIND_UTF8;
        header.value.value.bytes = amqp_cstring_bytes(trace);
        properties.headers.num_entries = 1;
        properties.headers.entries = &header;
        properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    }
    return amqp_basic_publish(connection, channel, amqp_empty_bytes, amqp_cstring_bytes(queue), number != 0, 0,
                              &properties, camqp_bytes(body, length));
}

/* Declares a durable queue of the given type. A quorum queue has no delivery limit unless one is set, up to RabbitMQ 3;
 * -1 says the same to RabbitMQ 4, and is refused by 3, so it is left out for major versions below 4. */
static inline amqp_queue_declare_ok_t *camqp_declare(amqp_connection_state_t connection, amqp_channel_t channel,
                                                     const char *queue, const char *type, int isUnlimited) {
    amqp_table_entry_t entries[2];
    entries[0].key = amqp_cstring_bytes("x-queue-type");
    entries[0].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[0].value.value.bytes = amqp_cstring_bytes(type);
    entries[1].key = amqp_cstring_bytes("x-delivery-limit");
    entries[1].value.kind = AMQP_FIELD_KIND_I32;
    entries[1].value.value.i32 = -1;
    amqp_table_t arguments = {isUnlimited ? 2 : 1, entries};
    return amqp_queue_declare(connection, channel, amqp_cstring_bytes(queue), 0, 1, 0, 0, arguments);
}

/* Declares a durable classic queue that is deleted `expiry` milliseconds after its last use, and whose messages are
   dropped after `ttl` milliseconds. */
static inline amqp_queue_declare_ok_t *camqp_declare_transient(amqp_connection_state_t connection,
                                                               amqp_channel_t channel, const char *queue, int ttl,
                                                               int expiry) {
    amqp_table_entry_t entries[3];
    entries[0].key = amqp_cstring_bytes("x-queue-type");
    entries[0].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[0].value.value.bytes = amqp_cstring_bytes("classic");
    entries[1].key = amqp_cstring_bytes("x-message-ttl");
    entries[1].value.kind = AMQP_FIELD_KIND_I32;
    entries[1].value.value.i32 = ttl;
    entries[2].key = amqp_cstring_bytes("x-expires");
    entries[2].value.kind = AMQP_FIELD_KIND_I32;
    entries[2].value.value.i32 = expiry;
    amqp_table_t arguments = {3, entries};
    return amqp_queue_declare(connection, channel, amqp_cstring_bytes(queue), 0, 1, 0, 0, arguments);
}

/* The major version that the server announced, 0 when it did not. */
static inline int camqp_server_major(amqp_connection_state_t connection) {
    const amqp_table_t *properties = amqp_get_server_properties(connection);
    if (properties == NULL) return 0;
    for (int i = 0; i < properties->num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->entries[i];
        if (entry->key.len != 7 || memcmp(entry->key.bytes, "version", 7) != 0) continue;
        if (entry->value.kind != AMQP_FIELD_KIND_UTF8) return 0;
        int major = 0;
        const char *text = (const char *)entry->value.value.bytes.bytes;
        for (size_t k = 0; k < entry->value.value.bytes.len && text[k] >= '0' && text[k] <= '9'; k++) {
            major = major * 10 + (text[k] - '0');
        }
        return major;
    }
    return 0;
}

/* The `traceparent` header of a message; of length 0 when there is none. */
static inline amqp_bytes_t camqp_trace(const amqp_basic_properties_t *properties) {
    if (properties->_flags & AMQP_BASIC_HEADERS_FLAG) {
        for (int i = 0; i < properties->headers.num_entries; i++) {
            const amqp_table_entry_t *entry = &properties->headers.entries[i];
            if (entry->key.len == 11 && memcmp(entry->key.bytes, "traceparent", 11) == 0 &&
                entry->value.kind == AMQP_FIELD_KIND_UTF8) {
                return entry->value.value.bytes;
            }
        }
    }
    return amqp_empty_bytes;
}

/* The number in a message's id, as camqp_publish wrote it; 0 when there is none. */
static inline uint64_t camqp_message_number(const amqp_basic_properties_t *properties) {
    uint64_t number = 0;
    if (!(properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)) return 0;
    const char *text = (const char *)properties->message_id.bytes;
    for (size_t i = 0; i < properties->message_id.len; i++) {
        if (text[i] < '0' || text[i] > '9') return 0;
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    return number;
}
