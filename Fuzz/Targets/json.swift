// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Workflow

/// JSON text: parser and writer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJSON(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.run(start, count) { bytes in
        do throws(JSONError) {
            let value = try JSON(parsing: bytes)
            let written = value.bytes
            Fuzz.same(value.text, String(decoding: written, as: UTF8.self), "text and bytes")
            guard let again = try? JSON(parsing: written) else { fatalError("what was written can't be read") }
            Fuzz.same(again, value, "the value after a round trip")
            Fuzz.same(again.bytes, written, "the text after a second round trip")
            Fuzz.same(again.hashValue, value.hashValue, "the hash after a round trip")
            check(value)
            Fuzz.require(isJSON(bytes), "Foundation refuses what was read")
        } catch {
            Fuzz.require((0...bytes.count).contains(error.offset), "the error is at \(error.offset) of \(bytes.count)")
        }
    }
}

/// What Foundation says, which reads more than JSON (a comma before the end), but not numbers that fit no double.
private func isJSON(_ bytes: [UInt8]) -> Bool {
    do {
        _ = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
        return true
    } catch {
        return "\(error)".contains("not representable")
    }
}

/// Members are found by their names, and numbers keep what they are.
private func check(_ value: JSON) {
    switch value {
    case .object(let object):
        Fuzz.same(Set(object.names.map { Array($0.utf8) }).count, object.count, "the number of names")
        for (name, member) in object.members {
            Fuzz.same(object[name]?.bytes, member.bytes, "the member \(name)")
            check(member)
        }
        var copy = object
        for name in object.names.reversed() { copy[name] = nil }
        Fuzz.same(copy.count, 0, "the members left")
    case .array(let elements): for element in elements { check(element) }
    case .number(let number):
        if let int = number.int { Fuzz.same(Double(int), number.double, "the number \(number.text)") }
        Fuzz.same(JSONNumber(number.double).double.isFinite, true, "a number made of one")
    case .null, .bool, .string: break
    }
}
