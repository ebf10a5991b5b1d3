// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The moments at which slots become free, the earliest first: a binary heap.
struct SlotHeap {
    private var moments: [Double]

    /// Makes a heap of slots that are free at once.
    init(count: Int) {
        moments = Array(repeating: 0, count: max(0, count))
    }

    /// Takes the earliest moment; there is one as long as each is given back.
    mutating func pop() -> Double {
        guard let first = moments.first, let last = moments.popLast() else { return 0 }
        guard !moments.isEmpty else { return first }
        moments[0] = last
        sink()
        return first
    }

    /// Puts a moment in.
    mutating func push(_ moment: Double) {
        moments.append(moment)
        var child = moments.count - 1
        while child > 0, moments[(child - 1) / 2] > moments[child] {
            moments.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func sink() {
        var parent = 0
        while true {
            let (left, right) = (2 * parent + 1, 2 * parent + 2)
            var least = parent
            if left < moments.count, moments[left] < moments[least] { least = left }
            if right < moments.count, moments[right] < moments[least] { least = right }
            guard least != parent else { return }
            moments.swapAt(parent, least)
            parent = least
        }
    }
}
