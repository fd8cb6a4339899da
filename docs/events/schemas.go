// Package events holds the JSON Schemas of the published events, so that tests
// can hold events against them wherever they run. A function's binary must not
// import it.
package events

import "embed"

// Schemas are the schemas, one file per detail-type, which is the schema's
// title: run-started.schema.json and so on.
//
//go:embed *.schema.json
var Schemas embed.FS
