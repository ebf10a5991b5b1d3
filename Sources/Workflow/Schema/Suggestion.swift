// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Finds what someone who mistyped a name probably meant.
enum Suggestion {
    /// The end of a message about an unknown name: `; did you mean 'x'? There are: x, y`.
    static func text(for name: String, among known: [String]) -> String {
        guard !known.isEmpty else { return "; there are none" }
        let listed = known.count > 40 ? "" : "There are: " + known.joined(separator: ", ")
        guard let nearest = nearest(to: name, among: known) else {
            return listed.isEmpty ? "" : "; t" + listed.dropFirst()
        }
        return "; did you mean '\(nearest)'?" + (listed.isEmpty ? "" : " " + listed)
    }

    /// The nearest name, when it is near enough to be meant.
    static func nearest(to name: String, among known: [String]) -> String? {
        // A name from outside may be long, and the distance costs the product of the lengths.
        guard name.utf8.count <= 100 else { return nil }
        let distances = known.map { (name: $0, distance: distance(Array(name.utf8), Array($0.utf8))) }
        guard let best = distances.min(by: { $0.distance < $1.distance }) else { return nil }
        // One letter is near to every other.
        let near = min(name.utf8.count - 1, max(1, min(3, name.utf8.count / 3)))
        return best.distance <= near ? best.name : nil
    }

    /// How many bytes must be put in, taken out, changed or swapped with their neighbour (optimal string alignment).
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var before: [Int] = []
        var last = Array(0...right.count)
        for (row, byte) in left.enumerated() {
            var next = [row + 1]
            for (column, other) in right.enumerated() {
                var cost = min(last[column + 1] + 1, next[column] + 1, last[column] + (byte == other ? 0 : 1))
                if row > 0, column > 0, byte == right[column - 1], left[row - 1] == other {
                    cost = min(cost, before[column - 1] + 1)
                }
                next.append(cost)
            }
            (before, last) = (last, next)
        }
        return last[right.count]
    }
}
