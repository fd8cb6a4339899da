// Package schedule works out the dates that a schedule asks for: relative
// ranges such as "from yesterday to today" and the time zones in which a day
// begins.
//
// Call [Parse] once and [Relative.Resolve] with the time the schedule was meant
// for. Nothing here reads a clock: the same range and the same time always give
// the same dates. It is not a scheduler; EventBridge Scheduler is.
package schedule
