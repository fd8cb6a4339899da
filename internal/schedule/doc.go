// Package schedule computes the dates of a relative range, such as "from
// yesterday to today", and finds time zones.
//
// Call [Parse] once, and [Relative.Resolve] with the time for which the
// schedule was meant. Nothing here reads a clock: the same range and the same
// time always have the same dates. The package does not schedule anything;
// EventBridge Scheduler does.
package schedule
