"""What an image is. Pure values and rules: no input or output, nothing imported from the other packages."""
