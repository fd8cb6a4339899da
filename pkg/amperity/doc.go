// Package amperity is a client of the Amperity workflow API
// (https://docs.amperity.com/api/). It starts, reads, lists and stops workflow
// runs.
//
// [New] makes a client for one tenant. It needs a [TokenSource]:
// [StaticTokenSource] for a token from Amperity's UI, or [NewClientCredentials]
// for OAuth. The methods are [Client.StartRun], [Client.GetRun],
// [Client.ListRuns] and [Client.StopRun]. The deadline of the context bounds
// each request. A context without a deadline gets [DefaultTimeout].
//
// # A failed start
//
// The API has no idempotency key: the same StartRun sent twice starts two runs.
// Send it again only if [NotProcessed] reports true for the error. NotProcessed
// never reads the error's text. It judges by how far the request got on its
// connection, and by the statuses with which the API refuses a request.
//
// The client sends each request once. The one exception is a 401: the client
// then asks the token source for another token and sends the request once more.
// To keep this promise, the client opens a new HTTP/1.1 connection for every
// POST and follows no redirect.
//
// # Errors
//
//   - [*RequestError]: the request was invalid, and nothing was sent.
//   - [*TokenError]: there was no token, and nothing was sent.
//   - [*TransportError]: there was no response.
//   - [*APIError]: the response had a status other than 2xx. errors.Is finds
//     [ErrRejected], [ErrUnauthorized], [ErrConflict], [ErrRateLimited] and
//     [ErrNotFound] in it.
//   - [*ResponseError]: the response had a 2xx status, and a body other than
//     the documented one.
//
// # Compatibility
//
// States, types and fields are open sets, as Amperity's versioning rules
// require. The package keeps what it does not know: encoding a decoded [Run]
// returns every field that the response had.
//
// # Secrets
//
// No error, no log line and nothing that fmt prints of this package's values
// contains a token.
//
// The package imports no AWS SDK. The package amperitytest is the API as a
// local server, for tests.
package amperity
