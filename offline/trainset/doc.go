// Package trainset looks after the files of training sets. It digests the files that a training set is made from, keeps
// copies of them, and finds them again later. It puts a finished training set and its lock into place atomically, and
// makes a training set again from its lock. It needs no engine: what computes a training set is an interface here.
package trainset
