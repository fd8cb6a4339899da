// Package arrival reads S3 events and finds out which runs they ask for: the
// envelopes an event comes in, the routes file, key patterns, and the day or
// hour a file belongs to.
//
// Call [ParseRoutes] once, then [Decode] for each payload and [Routes.Match]
// for each arrival; [Routes.Explain] tells a person why. Nothing here reads a
// clock, a file or the network. It does not remember anything either: that two
// events are about the same object, or the same window, is for the caller to
// see ([Period] is comparable).
//
// The rule for inputs: strict on what is ours (an unknown key of a routes file
// is an error), lenient on what is AWS's (unknown fields of an event are not).
package arrival
