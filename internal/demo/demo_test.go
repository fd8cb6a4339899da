package demo_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/demo"
)

func TestDemoPrintsTheSameEachTime(t *testing.T) {
	t.Parallel()
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := demo.Run(t.Context(), out); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != second.String() {
		t.Errorf("two outputs:\n%s\n%s", &first, &second)
	}
	for _, secret := range []string{"simulator-secret", "simulator-token"} {
		if strings.Contains(first.String(), secret) {
			t.Errorf("the output shows %s", secret)
		}
	}
	if want := "8 runs were started in Amperity, each once.\n"; !strings.HasSuffix(first.String(), want) {
		t.Errorf("ends otherwise:\n%s", &first)
	}
}
