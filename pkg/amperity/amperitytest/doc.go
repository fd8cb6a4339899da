// Package amperitytest is the workflow part of the Amperity API as a local
// server, with faults on demand. It is for tests and for trying things out:
// no Amperity tenant is needed, and nothing leaves the machine.
//
//	srv, err := amperitytest.New(amperitytest.Config{Now: time.Now})
//	...
//	defer srv.Close()
//	client, err := amperity.New(amperitytest.DefaultTenant,
//		amperity.StaticTokenSource(amperitytest.DefaultToken),
//		amperity.WithBaseURL(srv.URL()))
//
// Then let the code under test start its runs, and assert on [Server.Runs],
// the log of the runs that were really started: it shows a second run that no
// answer ever told of. [Server.Requests] has every request, without its token.
// [Server.Script] says how long the runs of a config id take and how they end,
// and the clock in [Config] moves them: a test that owns the clock sees a run
// of three hours end without waiting for it. [Server.Fault] and
// [Server.FaultRandomly] make requests fail. The same server runs as a program:
// "amperity-runs simulator".
//
// # What it imitates
//
// All of what Amperity documents about these endpoints, and nothing that it
// does not (https://docs.amperity.com/api/):
//
//   - POST /workflow/runs, GET /workflow/runs, GET /workflow/runs/{id},
//     POST /workflow/runs/{id}/stop under a base path, and the OAuth token
//     endpoint POST /v0/oauth2/token.
//   - The three required headers: Authorization, amperity-tenant, api-version
//     (or the query parameter api_version); tokens that expire.
//   - The rules of the request body, strictly: it must be JSON (what the
//     documentation's curl samples show is not), unknown fields and wrong types
//     are errors, range_from, range_to and run_mode are for courier groups only,
//     range_to needs range_from, from comes before to.
//   - The filters of the list, with partial timestamps; pages with next_token;
//     with_total; the two views of one run.
//   - The documented error body {"status", "message", "request_id", "trace_id"}
//     and the documented statuses. No other status is ever sent, unless a
//     [Fault] asks for it.
//   - 10 requests a second, then 429.
//   - That the same POST sent twice starts two runs.
//
// # Where the documentation is silent
//
// Here the server had to choose. Do not rely on these:
//
//   - Unknown and repeated query parameters, a content type other than JSON, a
//     body over 1 MiB, a body sent to the stop endpoint, a limit below 1 and
//     api-version given twice with different values are answered 400.
//   - A missing api-version is answered 400, an unknown one 401, one in
//     [Config.RetiredVersions] 400. A missing tenant is answered 400, another
//     tenant than the token's 403.
//   - The order of the checks: rate, path, method, version, token, tenant,
//     parameters, body.
//   - A limit above [Config.PageSize] is cut to it. The list is ordered newest
//     first and its items have the keys of the overview. A next_token belongs
//     to the filters it came from.
//   - Retry-After of a 429 is in whole seconds. The limit counts each request
//     of the last second that was let through, those of the token endpoint too.
//   - Stopping a run that is over is answered 409. A run being stopped is
//     "stopping" for a second.
//   - A run is first "scheduled", then "started", then "in-progress". The
//     spelling of the last, and the types "orchestration.group/run" and
//     "campaign.send" for what a config id og-… and cc-… starts, are guesses.
//   - The token endpoint adds the "error" member of RFC 6749 to its error body.
//
// # What it does not imitate
//
//   - Authorization policies: a token may do everything, or it is refused.
//   - Whether a config id exists, what kind of sources it has (so a missing
//     range_from is never an error) and what a run mode or a range does: a run
//     does no work, it only takes time.
//   - What happens when the config id is already running: a second run starts,
//     or with [Config.BusyWhileRunning] it is answered 409. Which of the two
//     Amperity does is not documented.
//   - Timing. Answers come at once, a run is in the list as soon as it was
//     started, and runs never wait for each other. [Fault] has delays and late
//     runs.
//   - Task lists of real workflows, warn_after_ms, and "running with failures".
//   - TLS, HTTP/2, proxies, and the limits of request sizes.
//   - The rest of the Amperity API.
package amperitytest
