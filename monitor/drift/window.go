package drift

// Window returns the first instant of the window of an instant, and the first after it, in UTC microseconds. A period without windows
// returns 0 for both.
func (p Period) Window(micros int64) (from, to int64) {
	from = p.start(micros)
	return from, p.end(from)
}
