// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What a history is held to; each is design.md's or the marketplace contract's word, and is named as a reader sees it.
enum Rule: String, Sendable, Hashable, CaseIterable {
    case rowsAreReadable = "every row of the ledger can be read"

    // What was accepted.
    case acceptedIsKept = "every accepted task is in the ledger"
    case oneTaskPerKey = "a key has one task"
    case oneAnswerPerKey = "every answer to a key names the same task"
    case everyTaskIsAccepted = "every planned task is accepted once the faults are over"
    case refusedForNow = "a submit is refused for now, or not at all"
    case repeatIsAccepted = "a repeat with the same body is not refused"
    case nothingUnasked = "no task that nobody submitted"
    case taskAsPlanned = "a task is what was submitted"

    // How it ended.
    case oneFinalState = "every task has one final state"
    case plannedEnd = "a task ends as its plan allows"
    case saidIsTrue = "what was said of an end is the ledger's end"
    case endStays = "no answer goes back from an end"
    case taskIsFound = "an accepted task is found by its owner"
    case sameData = "ledger, answers and callbacks give the same data"
    case namesItsTask = "an answer names its task, and a callback its request"

    // Whence its result comes.
    case resultOfItsAttempt = "a result comes from the call of the attempt in the row"
    case dataOfAnswers = "a task's data come from calls that answered"
    case dataAreWhole = "a task's data hold every answer in its place"
    case inputOfAnswers = "a stage's input comes from the calls that count"
    case inputIsWhole = "a stage's input holds every answer in its place"
    case failureIsCaused = "a job fails only by its handler, its limits or as poison"
    case failedTaskHasCause = "a failed task has a failed job"
    case wholeFanOut = "a stage has one job for each item"
    case countersAreRight = "a run's counters are its jobs'"

    // Its jobs.
    case noJobIsLeft = "no job is open when its task has ended"
    case attemptsCount = "every call belongs to an attempt that the row counts"
    case faultsCostNothing = "only failures of handlers and time limits count as failures"
    case failuresAreBound = "a job that failed as often as it may is failed"
    case poisonIsBound = "deaths and lost workers have causes and bounds"
    case deployCostsNothing = "a deploy loses no worker and repeats no call"
    case callIsKnown = "every call is of a known job"
    case oneCallPerClaim = "a claim is handed to one call"
    case oneCallAtATime = "two calls of a job overlap only when the older one's worker was lost"
    case nothingAfterTheEnd = "no call begins after its job's end"

    // Limits.
    case cancelCounts = "a cancelled task ends as cancelled"
    case cancelStops = "a cancelled task starts no handler"
    case cancelEndsHandlers = "a cancelled task's handlers are stopped"
    case noStartAfterDeadline = "no handler starts after its deadline"
    case noEarlyTimeout = "no task times out before its deadline"
    case deadlineIsKept = "no task outlives its deadline"

    // Its callback.
    case oneCallback = "a final task has one callback"
    case callbackIsKnown = "a callback tells of a task that has ended"
    case oneCallbackID = "every arrival has the callback's one id"
    case oneBody = "every arrival has the frozen body"
    case callbackIsSigned = "every arrival is signed"
    case callbackAfterEnd = "no callback comes before its task's end"
    case callbackArrives = "every callback is delivered"
    case goneStops = "410 stops a callback"
    case takenStops = "2xx stops a callback"
    case attemptsAreTrue = "a recorded attempt did arrive"

    // What surrounds it.
    case statisticsAreRight = "statistics equal the history"
    case originalsStay = "originals stay as they are"
    case nothingIsLeft = "nothing is left over"
}
