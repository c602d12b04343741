package materialize

// WithStep returns the options with a hook that is called at every step; its error ends the run as a crash would.
func (o Options) WithStep(step func(name string) error) Options {
	o.step = step
	return o
}
