package functions

// The last bits of a sum of floats differ with the order of additions, and so with the number of threads.

// FloatSums lists the aggregates that accumulate in floats if an argument is a float.
var FloatSums = parse(`sum avg mean favg fsum kahan_sum sumkahan product
	stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp skewness kurtosis kurtosis_pop sem entropy
	regr_avgx regr_avgy regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy`)

// AlwaysFloatSums lists those of them that accumulate in floats whatever their arguments.
var AlwaysFloatSums = parse(`stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp skewness kurtosis
	kurtosis_pop sem entropy product regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy`)
