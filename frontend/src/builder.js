// The form builder of an invoice.
