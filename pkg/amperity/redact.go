package amperity

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// scrubber makes text from outside fit for a message: what a server answers may echo the request's Authorization
// header, hold control characters that forge log lines, or be a whole page of HTML.
type scrubber []Token

// The bounds on text taken from an answer, in characters.
const (
	maxMessage = 1024
	maxExcerpt = 200
	maxID      = 128
)

// clean gives text without the secrets, on one line, at most limit characters of it.
func (s scrubber) clean(text string, limit int) string {
	// What is cut off here could not be shown anyway; it keeps redact, which looks at every position, cheap.
	const enough = 16 * maxMessage
	if len(text) > enough {
		text = text[:enough]
	}
	text = s.redact(text)
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, " "))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return text
}

// redact replaces the secrets, and pieces of them, because an echo may be cut, wrapped or escaped in some places.
func (s scrubber) redact(text string) string {
	for _, token := range s {
		secret := token.Reveal()
		if secret == "" {
			continue
		}
		text = strings.ReplaceAll(text, secret, redacted)
		text = redactPieces(text, secret)
	}
	return text
}

// redactPieces replaces each longest run of at least 12 bytes that the secret holds too: enough not to hit words, and
// too few to be of use to anyone.
func redactPieces(text, secret string) string {
	const piece = 12
	var b strings.Builder
	rest := 0
	for i := 0; i+piece <= len(text); {
		end := i + piece
		if !strings.Contains(secret, text[i:end]) {
			i++
			continue
		}
		for end < len(text) && strings.Contains(secret, text[i:end+1]) {
			end++
		}
		b.WriteString(text[rest:i])
		b.WriteString(redacted)
		i, rest = end, end
	}
	return b.String() + text[rest:]
}

// err gives an error whose text is fit for a message: itself where it is, else one that keeps only what it is to
// errors.Is. (An HTTP parser's errors quote the bytes they stumble on.)
func (s scrubber) err(err error) error {
	text := err.Error()
	clean := s.clean(text, maxMessage)
	if clean == text {
		return err
	}
	return &scrubbedError{text: clean, cause: err}
}

// scrubbedError stands for an error whose text is not fit to be seen. It has no Unwrap, which would show it.
type scrubbedError struct {
	text  string
	cause error
}

func (e *scrubbedError) Error() string { return e.text }

func (e *scrubbedError) Is(target error) bool { return errors.Is(e.cause, target) }

// Format writes the text for every verb and flag: %#v would show the cause.
func (e *scrubbedError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.text) }
