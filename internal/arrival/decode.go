package arrival

// Decode reads a payload. Its error is an [*EnvelopeError].
func Decode(payload []byte) (Batch, error) { return Batch{}, nil }
