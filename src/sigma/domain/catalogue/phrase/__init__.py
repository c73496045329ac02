"""Invoice phrases, such as «2 тысячи маникюр до пятницы»: tokens, numbers, days, meaning."""
