// Package route decides which runs a file asks for: the routes file, and the
// day or hour that a file belongs to.
//
// Call [Load] once, then [Routes.Match] for each arrival. [Routes.Explain] says
// why a file matches or not. Apart from Load, the package reads no file, and it
// reads no clock. It remembers nothing: its caller notices that two events are
// about the same object or the same window ([Period] is comparable).
//
// A routes file is ours, so the package is strict: an unknown key is an error.
package route
