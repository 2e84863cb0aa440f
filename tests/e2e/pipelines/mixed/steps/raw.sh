sort words.txt > "{{product}}"
