DROP TABLE IF EXISTS {{product}};

CREATE TABLE {{product}} AS
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
SELECT i AS id, i % 4 AS customer, i * 1.5 AS amount FROM n
