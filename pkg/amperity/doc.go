// Package amperity is a client of the Amperity workflow API (https://docs.amperity.com/api/): start, read, list and
// stop workflow runs.
//
// Make a client with [New], for one tenant and with a [TokenSource]: [StaticTokenSource] for a token from Amperity's UI,
// [NewClientCredentials] for OAuth. Then call [Client.StartRun], [Client.GetRun], [Client.ListRuns] or
// [Client.StopRun]; the context's deadline bounds each call, [DefaultTimeout] where it has none.
//
// # A failed start
//
// The API has no idempotency key: the same StartRun twice starts two runs. So after an error ask
// [MayHaveBeenProcessed], and send again only where it answers false. It does not go by the error's text, but by how
// far the request got on its connection, and by the statuses with which the API says that it did nothing. The client
// itself sends a request once; the one exception is a 401, after which it asks the token source for another token and
// sends once more. To keep that true a POST has an HTTP/1.1 connection of its own, and no redirect is followed.
//
// # Errors
//
// [*RequestError]: nothing was sent, the request is wrong in itself. [*TokenError]: nothing was sent, there is no
// token. [*TransportError]: no answer. [*APIError]: an answer other than 2xx; errors.Is finds [ErrRejected],
// [ErrUnauthorized], [ErrConflict], [ErrRateLimited] and [ErrNotFound] in it. [*ResponseError]: an answer that says success
// and is not the documented one.
//
// # What stays compatible
//
// States, types and fields are open sets, as Amperity's own rules of versioning demand: what this package does not know
// is kept, and encoding a [Run] gives back every field that came.
//
// No token is ever part of an error, a log line or what fmt prints of any value here. The package imports nothing of
// AWS. The package amperitytest has the API as a local server.
package amperity
