// Package law tests what all parts promise together: a training set and the online store have the same values for the
// same instant (the law of the product), and both agree with a brute-force oracle. It has no code of its own.
package law
