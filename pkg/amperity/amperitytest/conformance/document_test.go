// Package conformance_test tests the simulated API and the client against
// Amperity's OpenAPI document. Each conforms to the document, and so to the
// other. It is a package of its own because nothing else needs an OpenAPI
// library.
package conformance_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

const document = "../testdata/openapi-workflow.json"

// Where the document contradicts the reference pages, which we follow. Nothing
// else is relaxed. TestEachRelaxationIsNeeded shows that each is needed.
const (
	// The document has date-time for range_from and range_to. The reference
	// page has dates, YYYY-MM-DD.
	rangesMayBeDates = "range_from and range_to may be dates"
	// The document has date-time for the bounds of the list, beside the
	// words "may be a partial timestamp, such as YYYY-MM-DD".
	boundsMayBePartial = "created_* and ended_* may be partial"
	// The document has a server "https://<tenant-id>.amperity.com/api" with
	// a variable. The address has no braces, so it does not use the
	// variable.
	serverVariableUnused = "the server variable tenant-id is not used"
	// The document allows only status and message in an error. The
	// reference page has request_id and trace_id too.
	errorsHaveIDs = "an error has request_id and trace_id"
	// The document's operations lack the statuses 409 and 429. The pages,
	// and the document's own introduction, list them for all endpoints.
	busyAndRateLimited = "any operation may answer 409 and 429"
	// The document has 201 for a start. The pages have 200.
	startAnswers200 = "POST /workflow/runs may answer 200"
)

// relaxations patch the document in memory.
func relaxations() map[string]func(*openapi3.T) {
	return map[string]func(*openapi3.T){
		rangesMayBeDates: func(doc *openapi3.T) {
			properties := doc.Components.Schemas["WorkflowRunRequest"].Value.Properties
			for _, name := range []string{"range_from", "range_to"} {
				properties[name].Value.Format = ""
				properties[name].Value.Pattern = `^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00))?$`
			}
		},
		boundsMayBePartial: func(doc *openapi3.T) {
			for _, p := range doc.Paths.Find("/workflow/runs").Get.Parameters {
				if schema := p.Value.Schema.Value; schema.Format == "date-time" {
					schema.Format = ""
					schema.Pattern = `^\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d(\.\d+)?)?)?(Z|\+00:00)?)?)?)?$`
				}
			}
		},
		serverVariableUnused: func(doc *openapi3.T) {
			for _, s := range doc.Servers {
				s.Variables = nil
			}
		},
		errorsHaveIDs: func(doc *openapi3.T) {
			schema := doc.Components.Schemas["ErrorResponse"].Value
			schema.WithProperty("request_id", openapi3.NewStringSchema())
			schema.WithProperty("trace_id", openapi3.NewStringSchema())
		},
		busyAndRateLimited: func(doc *openapi3.T) {
			for _, path := range doc.Paths.Map() {
				for _, operation := range path.Operations() {
					operation.Responses.Set("409", doc.Components.Responses["BadRequest"])
					operation.Responses.Set("429", doc.Components.Responses["BadRequest"])
				}
			}
		},
		startAnswers200: func(doc *openapi3.T) {
			responses := doc.Paths.Find("/workflow/runs").Post.Responses
			responses.Set("200", responses.Value("201"))
		},
	}
}

// tighten forbids fields that the document lacks. Amperity may add fields, but
// our server must not invent any.
func tighten(doc *openapi3.T) {
	no := false
	for _, name := range []string{"Workflow", "WorkflowTaskInstance"} {
		doc.Components.Schemas[name].Value.AdditionalProperties.Has = &no
	}
}

// load reads the document for a server at base. It relaxes the document, except
// for the relaxations named in without. The error is what is wrong with the
// document itself.
func load(base string, without ...string) (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(document)
	if err != nil {
		return nil, err
	}
	for name, relax := range relaxations() {
		if !slices.Contains(without, name) {
			relax(doc)
		}
	}
	tighten(doc)
	if err := doc.Validate(openapi3.NewLoader().Context); err != nil {
		return nil, err
	}
	doc.Servers = openapi3.Servers{{URL: base}}
	return legacy.NewRouter(doc)
}

func mustLoad(t *testing.T, base string) routers.Router {
	t.Helper()
	router, err := load(base)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// checkRequest checks a request against the document.
func (e exchange) checkRequest(router routers.Router) error {
	_, err := e.input(router)
	return err
}

// checkResponse checks a response against the document.
func (e exchange) checkResponse(router routers.Router) error {
	input, err := e.input(router)
	if input == nil {
		return err
	}
	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 e.status,
		Header:                 e.header,
		Options:                input.Options,
	}
	return openapi3filter.ValidateResponse(e.request.Context(), response.SetBodyBytes([]byte(e.body)))
}

// input returns nil and an error if the document has no such operation.
// Otherwise the error is what is wrong with the request.
func (e exchange) input(router routers.Router) (*openapi3filter.RequestValidationInput, error) {
	request := e.request.Clone(e.request.Context())
	request.Body = http.NoBody
	if e.sent != "" {
		request.Body = readCloser{strings.NewReader(e.sent)}
		request.ContentLength = int64(len(e.sent))
	}
	route, parameters, err := router.FindRoute(request)
	if err != nil {
		return nil, err
	}
	input := &openapi3filter.RequestValidationInput{
		Request: request, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, // a status that the document lacks is an error
			MultiError:            true,
			SkipSettingDefaults:   true, // the document's defaults are examples
			// The stop endpoint takes no body.
			RejectWhenRequestBodyNotSpecified: true,
			AuthenticationFunc:                hasBearer,
		},
	}
	return input, openapi3filter.ValidateRequest(request.Context(), input)
}

var errNoBearer = errors.New("no bearer token")
