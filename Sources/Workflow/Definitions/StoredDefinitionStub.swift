// TEMPORARY stub so that others compile; the workflow helper deletes this file when WorkflowDefinition(stored:) is in.
extension WorkflowDefinition {
    /// Reads a stored definition back.
    public init(stored: [UInt8]) throws { throw JobError(.internal, "stub") }
}
