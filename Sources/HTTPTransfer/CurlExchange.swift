// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import CCurl
internal import Plumbing

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// One request under way, with everything that curl points into.
///
/// It lives on the loop thread alone.
final class CurlExchange {
    let request: TransferRequest
    let authority: String
    let policy: NetworkPolicy
    /// Set when the body is handed out as it arrives; else it is collected.
    let flow: BodyFlow?
    /// Finished with the head as soon as it is there, for a streamed answer.
    let head = OneShot<TransferHead>()
    /// Finished with the whole answer, for a collected one.
    let answer = OneShot<TransferResponse>()
    var easy: UnsafeMutableRawPointer?
    var headerList: UnsafeMutablePointer<curl_slist>?
    var addressList: UnsafeMutablePointer<curl_slist>?
    /// The body of the request, where it comes in chunks.
    var upload: UploadFlow?
    /// The body of the request, where it is large and all there.
    var uploadBytes: UploadBytes?
    var feeder: Task<Void, Never>?
    /// Why this side broke the transfer off; it goes before curl's own words.
    var failure: TransferError?
    private var copiedBytes: UnsafeMutableRawPointer?
    private var status = 0
    private var headers: [(name: String, value: String)] = []
    private var headerBytes = 0
    private var isHeadComplete = false
    private var body: [UInt8] = []
    /// Why an address was refused, in words that follow its name.
    private var refusal: String?

    init(request: TransferRequest, authority: String, policy: NetworkPolicy, flow: BodyFlow?) {
        self.request = request
        self.authority = authority
        self.policy = policy
        self.flow = flow
    }

    deinit {
        copiedBytes?.deallocate()
        if let headerList { curl_slist_free_all(headerList) }
        if let addressList { curl_slist_free_all(addressList) }
    }

    /// Copies a body to where it stays until the transfer is over.
    func keep(_ bytes: [UInt8]) -> UnsafeRawPointer {
        let copy = UnsafeMutableRawPointer.allocate(byteCount: max(bytes.count, 1), alignment: 16)
        bytes.withUnsafeBytes { if let base = $0.baseAddress { copy.copyMemory(from: base, byteCount: $0.count) } }
        copiedBytes = copy
        return UnsafeRawPointer(copy)
    }

    // MARK: What curl calls

    func takeHeader(_ line: UnsafeRawBufferPointer) -> Bool {
        headerBytes += line.count
        guard headerBytes <= 256 * 1024 else { return fail(.tooLarge, "the answer's headers have over 256 KiB") }
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("HTTP/") {
            // A new head: what came before was an interim answer.
            status = Int(text.split(separator: " ", maxSplits: 2).dropFirst().first?.prefix(3) ?? "") ?? 0
            headers = []
            return true
        }
        guard let colon = text.utf8.firstIndex(of: 0x3A) else {
            if line.count <= 2, status >= 200 { headIsComplete() }
            return true
        }
        let value = text[text.index(after: colon)...].drop(while: \.isWhitespace)
        let end = value.lastIndex { !$0.isWhitespace }
        headers.append((text[..<colon].lowercased(), end.map { String(value[...$0]) } ?? ""))
        return true
    }

    private func headIsComplete() {
        isHeadComplete = true
        guard flow == nil else {
            head.finish(.success(TransferHead(status: status, headers: headers)))
            return
        }
        if let length = headers.first(where: { $0.name == "content-length" }).flatMap({ Int($0.value) }) {
            body.reserveCapacity(min(max(length, 0), request.answerLimit, 16 << 20))
        }
    }

    /// Takes bytes of the body: their count, or one of curl's signals.
    func takeBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        if let flow {
            // curl's CURL_WRITEFUNC_PAUSE, a macro that Swift can't see: it keeps the bytes and gives them again.
            return flow.push(bytes) ? bytes.count : 0x1000_0001
        }
        guard body.count + bytes.count <= request.answerLimit else {
            _ = fail(.tooLarge, "the answer has more than \(request.answerLimit) bytes")
            return -1
        }
        body.append(contentsOf: bytes)
        return bytes.count
    }

    /// Fills curl's buffer with bytes of the request: their count, or one of curl's signals.
    func giveBody(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        if let count = uploadBytes?.read(into: buffer) { return count }
        switch upload?.read(into: buffer) ?? .end {
        case .copied(let count): return count
        case .end: return 0
        case .wait: return 0x1000_0001  // CURL_READFUNC_PAUSE
        case .fail(let error):
            failure = failure ?? error
            return 0x1000_0000  // CURL_READFUNC_ABORT
        }
    }

    /// Begins the request's bytes anew from a place; one of curl's signals.
    func seekBody(_ place: Int) -> CInt {
        uploadBytes?.seek(to: place) == true ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK
    }

    /// Opens the socket to a resolved address, unless the policy refuses it; -1 makes curl try the next address.
    func openSocket(_ address: UnsafeMutablePointer<curl_sockaddr>) -> CInt {
        if let reason = withUnsafePointer(to: &address.pointee.addr, { policy.refusal(of: $0) }) {
            refusal = reason
            return -1
        }
        #if canImport(Glibc)
        let kind = address.pointee.socktype | CInt(SOCK_CLOEXEC.rawValue)
        #else
        let kind = address.pointee.socktype
        #endif
        return socket(address.pointee.family, kind, address.pointee.protocol)
    }

    private func fail(_ code: TransferError.Code, _ reason: String) -> Bool {
        failure = failure ?? TransferError(code, reason)
        return false
    }

    // MARK: The end

    /// Hands the outcome to whoever waits; curl must be through with the transfer.
    func finish(_ code: CURLcode) {
        let error = failure ?? (code == CURLE_OK ? nil : translate(code))
        feeder?.cancel()
        upload?.room?.finish(.success(()))
        if let error {
            head.finish(.failure(error))
            answer.finish(.failure(error))
            flow?.finish(.failure(error))
        } else if let flow {
            head.finish(.success(TransferHead(status: status, headers: headers)))
            flow.finish(.success(()))
        } else {
            let whole = TransferHead(status: status, headers: headers)
            answer.finish(.success(TransferResponse(head: whole, body: body)))
        }
    }

    private func translate(_ code: CURLcode) -> TransferError {
        let words = "\(authority): \(String(cString: curl_easy_strerror(code)))"
        switch code {
        case CURLE_OPERATION_TIMEDOUT:
            return TransferError(.timeout, words)
        case CURLE_COULDNT_CONNECT where refusal != nil:
            return TransferError(.forbidden, "\(authority) \(refusal ?? "")")
        case CURLE_OUT_OF_MEMORY where !isHeadComplete, CURLcode(rawValue: 100):
            // A line of the head that is longer than curl takes (100 KB): CURLE_TOO_LARGE since 8.6, no memory before.
            return TransferError(.tooLarge, "\(authority): a header of the answer is too long")
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT:
            return TransferError(.invalid, words)
        default:
            return TransferError(.unreachable, words)
        }
    }
}
