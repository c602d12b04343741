-- Every request, one microsecond before it: at its own time it would count itself.
SELECT loan_id, dob_ssn, zipcode, event_timestamp - INTERVAL 1 MICROSECOND AS event_timestamp,
       person_age, person_income, loan_intent, loan_amnt, loan_int_rate, loan_status
FROM loans
ORDER BY loan_id
