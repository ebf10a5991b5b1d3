// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A queue of many lanes that are served in turn: ten thousand elements of one do not hold up the next of another.
struct LanesInTurn<Element> {
    private struct Lane {
        var name: String
        var elements: [Element] = []
        var first = 0

        var rest: ArraySlice<Element> { elements[first...] }

        mutating func drop() {
            first += 1
            if first > 1024, first * 2 > elements.count {
                elements.removeFirst(first)
                first = 0
            }
        }
    }

    /// Lanes that hold something, in the order in which they are served.
    private var lanes: [Lane] = []
    private var positions: [String: Int] = [:]
    private var turn = 0
    /// How many elements there are.
    private(set) var count = 0

    /// Whether there is none.
    var isEmpty: Bool { count == 0 }

    /// All elements, lane by lane, each lane in its order.
    var all: [Element] { lanes.flatMap(\.rest) }

    /// Adds an element at the end of its lane.
    mutating func append(_ element: Element, to name: String) {
        count += 1
        if let position = positions[name] {
            lanes[position].elements.append(element)
        } else {
            positions[name] = lanes.count
            lanes.append(Lane(name: name, elements: [element]))
        }
    }

    /// Takes the first element of the lane whose turn it is.
    mutating func popFirst() -> Element? {
        guard !lanes.isEmpty else { return nil }
        if turn >= lanes.count { turn = 0 }
        let element = lanes[turn].elements[lanes[turn].first]
        count -= 1
        lanes[turn].drop()
        if lanes[turn].rest.isEmpty { remove(turn) } else { turn += 1 }
        return element
    }

    /// Drops elements at the heads of all lanes while they are such; returns how many.
    mutating func dropHeads(while isSuch: (Element) -> Bool) -> Int {
        let before = count
        for position in lanes.indices.reversed() {
            while let head = lanes[position].rest.first, isSuch(head) {
                lanes[position].drop()
                count -= 1
            }
            if lanes[position].rest.isEmpty { remove(position) }
        }
        return before - count
    }

    /// Forgets everything.
    mutating func removeAll() { self = Self() }

    private mutating func remove(_ position: Int) {
        positions[lanes[position].name] = nil
        lanes.remove(at: position)
        for later in position..<lanes.count { positions[lanes[later].name] = later }
        if turn > position { turn -= 1 }
    }
}
