// Package stats describes columns so that they can be compared: the statistics that a lock records of each column, and counts of
// other rows in the same bins. The edges of the bins never change after the reference was described, so the counts of two windows
// add up to the counts of both (see Counts.Merge), and any window can be compared with any other.
package stats
