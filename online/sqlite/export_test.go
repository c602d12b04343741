package sqlite

// LogBytes sets how large the log may grow before it is copied back.
func (b *Backend) LogBytes(n int64) { b.logBytes = n }
