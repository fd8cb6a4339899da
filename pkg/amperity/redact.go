package amperity

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// scrubber makes text from a response fit for a message. Such text may echo the
// request's Authorization header, hold control characters that forge log lines,
// or be a whole page of HTML. A scrubber holds the secrets to remove.
type scrubber []Token

// The bounds on text taken from a response, in characters.
const (
	maxMessage = 1024
	maxExcerpt = 200
	maxID      = 128
)

// clean returns text without the secrets, on one line, cut after limit
// characters.
func (s scrubber) clean(text string, limit int) string {
	// redact looks at every position. Cutting the text first keeps it
	// cheap, and the rest could not be shown anyway.
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

// redact replaces the secrets. It replaces pieces of them too, because an echo
// may be cut, wrapped or escaped.
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

// redactPieces replaces each longest run of at least 12 bytes that is part of
// the secret. 12 bytes are long enough not to hit words, and too few to be of
// use to an attacker.
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

// err returns an error whose text is fit for a message. It returns err itself
// if the text is. Otherwise the new error keeps only what err is to errors.Is.
// HTTP parsers quote the bytes that they reject, so their errors may hold
// secrets.
func (s scrubber) err(err error) error {
	text := err.Error()
	clean := s.clean(text, maxMessage)
	if clean == text {
		return err
	}
	return &scrubbedError{text: clean, cause: err}
}

// scrubbedError takes the place of an error whose text must not be shown. It
// has no Unwrap, which would show it.
type scrubbedError struct {
	text  string
	cause error
}

func (e *scrubbedError) Error() string { return e.text }

func (e *scrubbedError) Is(target error) bool { return errors.Is(e.cause, target) }

// Format writes the text for every verb and flag: %#v would show the cause.
func (e *scrubbedError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.text) }
