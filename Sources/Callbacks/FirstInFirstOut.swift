// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A queue that gives and takes in constant time.
struct FirstInFirstOut<Element> {
    private var elements: [Element?] = []
    private var taken = 0

    var count: Int { elements.count - taken }
    var isEmpty: Bool { count == 0 }
    /// The oldest element; nil when there is none.
    var first: Element? { isEmpty ? nil : elements[taken] }

    mutating func append(_ element: Element) { elements.append(element) }

    /// Takes the oldest element; nil when there is none.
    mutating func popFirst() -> Element? {
        guard taken < elements.count else { return nil }
        let element = elements[taken]
        elements[taken] = nil
        taken += 1
        // The gap is closed when it is half of all, so that each element moves about once.
        if taken * 2 >= elements.count {
            elements.removeFirst(taken)
            taken = 0
        }
        return element
    }

    /// Takes the newest element; nil when there is none.
    mutating func popLast() -> Element? { isEmpty ? nil : elements.removeLast() }
}

extension FirstInFirstOut: Sendable where Element: Sendable {}
