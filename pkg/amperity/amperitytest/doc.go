// Package amperitytest is the workflow part of the Amperity API as a local
// server, with faults on demand. It is for tests, and for trying things out
// without an Amperity tenant. Nothing leaves the machine.
//
//	srv, err := amperitytest.New(amperitytest.Config{})
//	...
//	defer srv.Close()
//	client, err := amperity.New(amperitytest.DefaultTenant,
//		amperity.StaticTokenSource(amperitytest.DefaultToken),
//		amperity.WithBaseURL(srv.URL()))
//
// Let the code under test start its runs. Then assert on [Server.Runs], the log
// of the runs that really started. It shows a second run even if no response
// ever mentioned it. [Server.Requests] is the log of every request, without the
// token.
//
// [Server.Script] sets how long the runs of a config id take and how they end.
// The clock in [Config] moves the runs: a test with its own clock sees a run of
// three hours end without waiting. [Server.Fault] and [Server.FaultRandomly]
// make requests fail.
//
// The same server runs as a program: "amperity-runs simulator".
//
// # What it imitates
//
// It imitates everything that Amperity documents about these endpoints, and
// nothing else (https://docs.amperity.com/api/):
//
//   - POST /workflow/runs, GET /workflow/runs, GET /workflow/runs/{id} and
//     POST /workflow/runs/{id}/stop under a base path, and the OAuth token
//     endpoint POST /v0/oauth2/token.
//   - The three required headers: Authorization, amperity-tenant, and
//     api-version (or the query parameter api_version). Tokens expire.
//   - The rules of the request body, strictly. The body must be JSON, which the
//     documentation's curl samples are not. Unknown fields and wrong types are
//     errors. range_from, range_to and run_mode are for courier groups only.
//     range_to needs range_from, and must be later.
//   - The filters of the list, with partial timestamps; pages with next_token;
//     with_total; the two views of one run.
//   - The documented error body {"status", "message", "request_id", "trace_id"}
//     and the documented statuses. The server sends another status only if a
//     [Fault] asks for it.
//   - 10 requests a second, then 429.
//   - The same POST sent twice starts two runs.
//
// # Where the documentation is silent
//
// Here the server had to choose. Do not rely on these choices:
//
//   - The server answers 400 to unknown and repeated query parameters, to a
//     content type other than JSON, to a body over 1 MiB, to a body sent to the
//     stop endpoint, to a limit below 1, and to two api-versions that differ.
//   - It answers 400 to a missing api-version, 401 to an unknown one, and 400
//     to one in [Config.RetiredVersions]. It answers 400 to a missing tenant,
//     and 403 to a tenant other than the token's.
//   - It checks, in this order: rate, path, method, version, token, tenant,
//     parameters, body.
//   - It cuts a limit above [Config.PageSize] to that size. The list is ordered
//     newest first, and its items have the keys of the overview. A next_token
//     is valid only with the filters that it came from.
//   - Retry-After of a 429 is in whole seconds. The rate limit counts each
//     request that it admitted in the last second, those of the token endpoint
//     included.
//   - Stopping a run that has ended is answered 409. A run is "stopping" for
//     one second.
//   - A run is first "scheduled", then "started", then "in-progress". The
//     spelling of the last is a guess. So are the types
//     "orchestration.group/run" for og-… and "campaign.send" for cc-….
//   - The token endpoint adds the "error" member of RFC 6749 to its error body.
//
// # What it does not imitate
//
//   - Authorization policies: a token may do everything, or it is refused.
//   - Configurations. Every config id exists. A missing range_from is never an
//     error. A run mode or a range has no effect: a run does no work and only
//     takes time.
//   - A config id that is already running: a second run starts. With
//     [Config.BusyWhileRunning] the server answers 409 instead. Amperity does
//     not document which of the two it does.
//   - Timing. The server answers immediately. A run is in the list as soon as
//     it has started, and runs never wait for each other. [Fault] has delays
//     and late runs.
//   - Task lists of real workflows, warn_after_ms, "running with failures",
//     paused runs and retried tasks.
//   - TLS, HTTP/2, proxies, and limits on the size of requests.
//   - The rest of the Amperity API.
package amperitytest
