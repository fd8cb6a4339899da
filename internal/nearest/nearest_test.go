package nearest_test

import (
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/nearest"
)

func TestMatchReturnsMostSimilarWord(t *testing.T) {
	t.Parallel()
	known := []string{"config_id", "run_mode", "range", "hold", "late"}
	for name, want := range map[string]string{
		"configId": "config_id", "config-id": "config_id", "ConfigID": "config_id", "run_mod": "run_mode", "rnage": "range", "Range": "range",
		"hodl": "hold", "lat": "late", "": "", "token": "", "h": "", "bucket": "", "configuration_identifier_of_the_group": "",
	} {
		if got, ok := nearest.Match(name, known); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %t", name, got, ok)
		}
	}
}
