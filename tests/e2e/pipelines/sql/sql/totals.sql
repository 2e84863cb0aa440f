SELECT customer, SUM(amount) AS amount FROM {{upstream['orders']}} GROUP BY customer ORDER BY customer
