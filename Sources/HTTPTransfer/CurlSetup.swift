// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import CCurl
internal import Plumbing

/// Tells curl about a request.
struct CurlSetup {
    /// Bodies up to this size are copied for curl; larger ones it reads where they are, piece by piece.
    private static let copiedBytes = 65_536

    let settings: TransferSettings

    /// Checks a request before any work is spent on it.
    ///
    /// - Returns: host and port, for messages.
    func check(_ request: TransferRequest) throws(TransferError) -> String {
        let url = try TransferURL(request.url)
        guard Self.isToken(request.method) else { throw TransferError(.invalid, "the method is not a proper one") }
        for header in request.headers {
            guard Self.isToken(header.name), !header.value.utf8.contains(where: { $0 == 0 || $0 == 13 || $0 == 10 })
            else { throw TransferError(.invalid, "the header \(header.name.prefix(64)) is not a proper one") }
        }
        return url.authority
    }

    func apply(_ exchange: CurlExchange, to easy: UnsafeMutableRawPointer) throws(TransferError) {
        let request = exchange.request
        let context = Self.context(of: exchange)
        var codes = [
            ccurl_set_text(easy, CURLOPT_URL, request.url),
            ccurl_set_text(easy, CURLOPT_PROXY, ""),
            ccurl_set_text(easy, CURLOPT_USERAGENT, "malla"),
            ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1),
            ccurl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0),
            ccurl_set_long(easy, CURLOPT_PATH_AS_IS, 1),
            ccurl_set_long(easy, CURLOPT_TCP_NODELAY, 1),
            ccurl_set_long(easy, CURLOPT_TCP_KEEPALIVE, 1),
            ccurl_set_long(easy, CURLOPT_BUFFERSIZE, exchange.flow == nil ? 16_384 : 262_144),
            ccurl_set_long(easy, CURLOPT_HTTP_VERSION, 2),  // CURL_HTTP_VERSION_1_1, a macro
            ccurl_set_pointer(easy, CURLOPT_PRIVATE, context),
            ccurl_set_pointer(easy, CURLOPT_HEADERDATA, context),
            ccurl_set_pointer(easy, CURLOPT_WRITEDATA, context),
            ccurl_set_pointer(easy, CURLOPT_OPENSOCKETDATA, context),
            ccurl_set_bytes_fn(easy, CURLOPT_HEADERFUNCTION, curlTakesHeader),
            ccurl_set_bytes_fn(easy, CURLOPT_WRITEFUNCTION, curlTakesBody),
            ccurl_set_socket_fn(easy, curlOpensSocket),
        ]
        // CURLOPT_QUICK_EXIT, by number because headers before 7.87 lack it, and not checked because older libraries do:
        // a transfer that ends while its name is looked up leaves the look-up behind. Without it curl waits for the
        // name server, and every other transfer of this thread with it.
        _ = ccurl_set_long(easy, CURLoption(rawValue: 322), 1)
        if let file = settings.certificateAuthorityFile { codes.append(ccurl_set_text(easy, CURLOPT_CAINFO, file)) }
        codes += timeouts(of: exchange, easy)
        codes += body(of: exchange, easy)
        if let lookUp = settings.lookUp {
            let url = try TransferURL(request.url)
            let entry = "\(url.host):\(url.port):\(lookUp(url.host).joined(separator: ","))"
            exchange.addressList = curl_slist_append(nil, entry)
            codes.append(ccurl_set_pointer(easy, CURLOPT_RESOLVE, exchange.addressList))
        }
        exchange.headerList = headerList(of: request)
        codes.append(ccurl_set_headers(easy, exchange.headerList))
        guard codes.allSatisfy({ $0 == CURLE_OK }) else {
            throw TransferError(.invalid, "libcurl refuses the request")
        }
    }

    private func timeouts(of exchange: CurlExchange, _ easy: UnsafeMutableRawPointer) -> [CURLcode] {
        let limit = max(1, exchange.request.timeout.wholeMilliseconds)
        let connect = max(1, min(limit, settings.connectTimeout.wholeMilliseconds))
        var codes = [ccurl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, Int(connect))]
        var isStream = exchange.flow != nil
        if case .stream = exchange.request.body { isStream = true }
        if isStream {
            // A stream may last; what counts is how long it stands still, in whole seconds.
            codes.append(ccurl_set_long(easy, CURLOPT_LOW_SPEED_LIMIT, 1))
            codes.append(ccurl_set_long(easy, CURLOPT_LOW_SPEED_TIME, Int((limit + 999) / 1000)))
        } else {
            codes.append(ccurl_set_long(easy, CURLOPT_TIMEOUT_MS, Int(limit)))
        }
        return codes
    }

    private func body(of exchange: CurlExchange, _ easy: UnsafeMutableRawPointer) -> [CURLcode] {
        let request = exchange.request
        switch request.body {
        case .none where request.method == "HEAD":
            return [ccurl_set_long(easy, CURLOPT_NOBODY, 1)]
        case .none where !["POST", "PUT", "PATCH"].contains(request.method):
            return [
                ccurl_set_long(easy, CURLOPT_HTTPGET, 1),
                ccurl_set_text(easy, CURLOPT_CUSTOMREQUEST, request.method),
            ]
        case .none:
            return post([], exchange, easy)
        case .bytes(let bytes) where bytes.count <= Self.copiedBytes:
            return post(bytes, exchange, easy)
        case .bytes(let bytes):
            exchange.uploadBytes = UploadBytes(bytes)
            return upload(exchange, easy, length: bytes.count) + [
                ccurl_set_pointer(easy, CURLOPT_SEEKDATA, Self.context(of: exchange)),
                ccurl_set_seek_fn(easy, curlSeeksBody),
            ]
        case .stream(_, let length):
            exchange.upload = UploadFlow(length: length)
            return upload(exchange, easy, length: length)
        }
    }

    private func post(_ bytes: [UInt8], _ exchange: CurlExchange, _ easy: UnsafeMutableRawPointer) -> [CURLcode] {
        [
            ccurl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count)),
            ccurl_set_pointer(easy, CURLOPT_POSTFIELDS, exchange.keep(bytes)),
            ccurl_set_text(easy, CURLOPT_CUSTOMREQUEST, exchange.request.method),
        ]
    }

    /// A body that curl asks for piece by piece.
    private func upload(_ exchange: CurlExchange, _ easy: UnsafeMutableRawPointer, length: Int?) -> [CURLcode] {
        [
            ccurl_set_long(easy, CURLOPT_UPLOAD, 1),
            ccurl_set_text(easy, CURLOPT_CUSTOMREQUEST, exchange.request.method),
            ccurl_set_size(easy, CURLOPT_INFILESIZE_LARGE, curl_off_t(length ?? -1)),
            ccurl_set_long(easy, CURLOPT_UPLOAD_BUFFERSIZE, 262_144),
            ccurl_set_pointer(easy, CURLOPT_READDATA, Self.context(of: exchange)),
            ccurl_set_bytes_fn(easy, CURLOPT_READFUNCTION, curlGivesBody),
        ]
    }

    private static func context(of exchange: CurlExchange) -> UnsafeRawPointer {
        UnsafeRawPointer(Unmanaged.passUnretained(exchange).toOpaque())
    }

    private func headerList(of request: TransferRequest) -> UnsafeMutablePointer<curl_slist>? {
        var list: UnsafeMutablePointer<curl_slist>?
        // Without a value curl leaves its own header out: no waiting for "100 Continue", no invented content type.
        var lines = ["Expect:"]
        if !request.headers.contains(where: { $0.name.lowercased() == "content-type" }) {
            lines.append("Content-Type:")
        }
        for header in request.headers {
            // The length and its coding are curl's to say, from the body it has.
            guard !["content-length", "transfer-encoding", "expect"].contains(header.name.lowercased()) else {
                continue
            }
            lines.append(header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)")
        }
        for line in lines {
            // Nil means that memory ran out; the list so far stays valid and is freed as before.
            if let longer = curl_slist_append(list, line) { list = longer }
        }
        return list
    }

    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x41 && $0 <= 0x5A) || ($0 >= 0x5E && $0 <= 0x7A)
                    || [0x21, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x7C, 0x7E].contains($0)
            }
    }
}

// What curl calls, always on the loop thread and inside curl_multi_perform or curl_easy_pause. The exchange is kept
// alive by its engine until the handle has been taken out of the multi handle.

private func exchange(_ context: UnsafeMutableRawPointer) -> CurlExchange {
    Unmanaged<CurlExchange>.fromOpaque(context).takeUnretainedValue()
}

private let curlTakesHeader: ccurl_bytes_fn = { bytes, size, count, context in
    guard let bytes, let context else { return 0 }
    let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
    return exchange(context).takeHeader(line) ? line.count : 0
}

private let curlTakesBody: ccurl_bytes_fn = { bytes, size, count, context in
    guard let bytes, let context else { return 0 }
    let taken = exchange(context).takeBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
    return taken < 0 ? 0 : taken
}

private let curlGivesBody: ccurl_bytes_fn = { buffer, size, count, context in
    guard let buffer, let context else { return 0x1000_0000 }  // CURL_READFUNC_ABORT
    return exchange(context).giveBody(UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
}

private let curlSeeksBody: ccurl_seek_fn = { context, place, origin in
    guard let context, origin == 0 else { return CURL_SEEKFUNC_CANTSEEK }  // 0: SEEK_SET
    return exchange(context).seekBody(Int(place))
}

private let curlOpensSocket: ccurl_socket_fn = { context, _, address in
    guard let context, let address else { return -1 }
    return exchange(context).openSocket(address)
}
