// Package law holds the tests of what all parts promise together: what a training set says of an instant is what
// the online store answers at that instant (the law of the product), and both say what the oracle says. It has
// no code of its own.
package law
